-- One writer has the whole database as it is.
SELECT 1
