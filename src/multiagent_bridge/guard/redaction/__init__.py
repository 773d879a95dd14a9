"""The parts of the redactor (`guard/redact.py`): rule table as data, recognisers, views, registry. Standard library only."""
