//! Search keys: the entries under which a person is found, and the keys a search looks under.
