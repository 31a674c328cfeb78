//! Domain values to parameters of a statement, the same for both databases.

use jiff::Timestamp;
use postrider_domain::{EmailAddress, LeaseToken, MessageId, RequestId, ResellerId};
use sqlx::postgres::PgArguments;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments, Encode, Type};

/// A parameter. An absent one still has its type, which PostgreSQL asks for.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Text(Option<String>),
    Int(Option<i64>),
    Bytes(Option<Vec<u8>>),
    Bool(bool),
}

/// A row of parameters.
macro_rules! values {
    ($($value:expr),* $(,)?) => { vec![$($crate::sql::Value::from($value)),*] };
}
pub(crate) use values;

impl Value {
    pub(crate) fn to_sqlite(values: Vec<Self>) -> Result<SqliteArguments, sqlx::Error> {
        add_all(values)
    }

    pub(crate) fn to_postgres(values: Vec<Self>) -> Result<PgArguments, sqlx::Error> {
        add_all(values)
    }
}

fn add_all<A: Arguments>(values: Vec<Value>) -> Result<A, sqlx::Error>
where
    Option<String>: for<'q> Encode<'q, A::Database> + Type<A::Database>,
    Option<i64>: for<'q> Encode<'q, A::Database> + Type<A::Database>,
    Option<Vec<u8>>: for<'q> Encode<'q, A::Database> + Type<A::Database>,
    bool: for<'q> Encode<'q, A::Database> + Type<A::Database>,
{
    let mut arguments = A::default();
    arguments.reserve(values.len(), 0);
    for value in values {
        match value {
            Value::Text(text) => arguments.add(text),
            Value::Int(number) => arguments.add(number),
            Value::Bytes(bytes) => arguments.add(bytes),
            Value::Bool(flag) => arguments.add(flag),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(Some(text))
    }
}

impl From<Option<String>> for Value {
    fn from(text: Option<String>) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }
}

impl From<Option<&str>> for Value {
    fn from(text: Option<&str>) -> Self {
        Self::Text(text.map(str::to_owned))
    }
}

impl From<&ResellerId> for Value {
    fn from(reseller: &ResellerId) -> Self {
        reseller.as_str().into()
    }
}

impl From<&EmailAddress> for Value {
    fn from(address: &EmailAddress) -> Self {
        address.as_str().into()
    }
}

impl From<&RequestId> for Value {
    fn from(id: &RequestId) -> Self {
        id.as_str().into()
    }
}

impl From<Option<&RequestId>> for Value {
    fn from(id: Option<&RequestId>) -> Self {
        id.map(RequestId::as_str).into()
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(Some(number))
    }
}

impl From<Option<i64>> for Value {
    fn from(number: Option<i64>) -> Self {
        Self::Int(number)
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        i64::from(number).into()
    }
}

impl From<Option<u32>> for Value {
    fn from(number: Option<u32>) -> Self {
        number.map(i64::from).into()
    }
}

impl From<Timestamp> for Value {
    fn from(time: Timestamp) -> Self {
        time.as_microsecond().into()
    }
}

impl From<Option<Timestamp>> for Value {
    fn from(time: Option<Timestamp>) -> Self {
        time.map(Timestamp::as_microsecond).into()
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(Some(bytes))
    }
}

impl From<Option<Vec<u8>>> for Value {
    fn from(bytes: Option<Vec<u8>>) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        bytes.to_vec().into()
    }
}

impl From<MessageId> for Value {
    fn from(id: MessageId) -> Self {
        id.as_bytes().as_slice().into()
    }
}

impl From<Option<MessageId>> for Value {
    fn from(id: Option<MessageId>) -> Self {
        Self::Bytes(id.map(|id| id.as_bytes().to_vec()))
    }
}

impl From<Option<LeaseToken>> for Value {
    fn from(token: Option<LeaseToken>) -> Self {
        Self::Bytes(token.map(|token| token.as_bytes().to_vec()))
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Bool(flag)
    }
}
