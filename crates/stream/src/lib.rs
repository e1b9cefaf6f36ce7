//! Part of liqheat.
