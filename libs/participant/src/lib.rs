//! backstitch-participant
