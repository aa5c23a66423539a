//! backstitch-messaging
