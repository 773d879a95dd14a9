"""The HTTP face: who may knock at which door, and what stands behind each. `/mcp` itself lies in `mcp/http.py`."""
