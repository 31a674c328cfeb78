-- $1 name, $2 value
WITH given (name, value) AS (VALUES /*each*/($1, $2)/*each*/)
UPDATE meta AS m SET value = given.value FROM given WHERE m.name = given.name
