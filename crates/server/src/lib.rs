//! Transport and wiring: what is served, on which port.
