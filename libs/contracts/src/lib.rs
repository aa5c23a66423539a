//! backstitch-contracts
