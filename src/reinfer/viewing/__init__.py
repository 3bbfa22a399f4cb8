"""Figures, videos and the report: what a reader sees. Everything is drawn from recorded values, nothing is computed
anew, and nothing here needs a display or OpenGL."""
