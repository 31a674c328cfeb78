//! Decides what is sent when: lanes, pace, retry, and the loop around them.
