//! backstitch-saga
