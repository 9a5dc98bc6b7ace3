"""The registry's pages for people, made on the server from templates; they need no script.

``view`` says what they read and ``routes`` which page there is under which path. Each page has a
module that gathers what its template shows: ``commitment_page``, ``key_page``, ``case_pages``,
``log_page``, ``search``, ``file_reading``; ``visitors`` bounds who asks. Whatever others wrote is
made visible and escaped, and marked as their claim; nothing is loaded from elsewhere.
"""
