//! A broker inside one process, lossy on request. A FAKE for tests: nothing it holds survives.
