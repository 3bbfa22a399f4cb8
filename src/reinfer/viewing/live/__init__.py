"""A live page: a robot at work in the browser, with what its agent believes. ``session`` knows no browser."""
