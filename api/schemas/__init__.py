"""The documents of the REST interface, as its clients read and write them.

Server and Python client share these classes. They know no HTTP; a reader ignores fields it does not
know, so that an older client can talk to a newer server.
"""
