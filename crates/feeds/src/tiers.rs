//! Maintenance margin tables shipped as dated files.
