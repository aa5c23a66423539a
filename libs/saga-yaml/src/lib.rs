//! backstitch-saga-yaml
