//! The simulated market of the demo.
