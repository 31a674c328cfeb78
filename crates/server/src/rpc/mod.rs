//! One file a verb: request → domain, one piece of work, domain → reply.

mod access_service;
pub(crate) mod audit;
mod batch_send_mail;
mod claims;
mod delete_settings;
mod get_message;
mod get_settings;
mod keys;
mod list_messages;
mod list_settings;
mod mail_service;
mod pause;
mod put_settings;
mod send_mail;
mod settings_service;
mod steer;
mod test_settings;
mod watch_messages;

pub(crate) use access_service::AccessRpcs;
pub(crate) use mail_service::Mail;
pub(crate) use settings_service::SettingsRpcs;
