//! backstitch-messaging-kafka
