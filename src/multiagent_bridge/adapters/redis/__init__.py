"""Redis or Valkey: another bell and another meter for several hubs on one PostgreSQL. Holds no mail and no entry."""
