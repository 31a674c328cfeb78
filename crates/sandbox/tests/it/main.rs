//! The sandbox over real HTTP, in reading order. (`cfg(test)` tells clippy that the helpers are tests too.)

#[cfg(test)]
mod harness;

#[cfg(test)]
mod content;
#[cfg(test)]
mod control;
#[cfg(test)]
mod entra;
#[cfg(test)]
mod first_mail;
#[cfg(test)]
mod inbox;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod mistakes;
#[cfg(test)]
mod scenarios;
