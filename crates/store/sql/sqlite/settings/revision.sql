-- The revision that is saved, and the last one there ever was.
-- $1 reseller
SELECT
    (SELECT revision FROM settings WHERE reseller = $1) AS saved,
    (SELECT revision FROM revisions WHERE reseller = $1) AS last
