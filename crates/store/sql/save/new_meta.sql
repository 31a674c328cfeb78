-- $1 name, $2 value
INSERT INTO meta (name, value) VALUES /*each*/($1, $2)/*each*/
