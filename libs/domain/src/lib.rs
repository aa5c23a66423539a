//! backstitch-domain
