-- When the first credential in use ends.
-- $1 whether for each reseller, or for all together
SELECT reseller, min(credential_expire_time) AS expire_time
FROM (
    SELECT CASE WHEN $1 THEN s.reseller END AS reseller, s.credential_expire_time
    FROM settings AS s
    WHERE s.credential_expire_time IS NOT NULL
) AS ends
GROUP BY reseller
