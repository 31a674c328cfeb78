-- $1 reseller, $2 version
WITH wanted (reseller, version) AS (VALUES /*each*/($1, $2)/*each*/)
SELECT s.reseller, s.version, s.ciphertext, s.create_time
FROM wanted
JOIN sealed_credentials AS s ON s.reseller = wanted.reseller AND s.version = wanted.version
