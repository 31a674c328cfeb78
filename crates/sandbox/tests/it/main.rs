//! The sandbox over real HTTP, in reading order. (`cfg(test)` tells clippy that the helpers are tests too.)

#[cfg(test)]
mod harness;

#[cfg(test)]
mod assertions;
#[cfg(test)]
mod content;
#[cfg(test)]
mod control;
#[cfg(test)]
mod deliveries;
#[cfg(test)]
mod drafts;
#[cfg(test)]
mod entra;
#[cfg(test)]
mod first_mail;
#[cfg(test)]
mod identity;
#[cfg(test)]
mod inbox;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod mistakes;
#[cfg(test)]
mod scenarios;
#[cfg(test)]
mod strict;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod traces;
#[cfg(test)]
mod uploads;
