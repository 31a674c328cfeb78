SELECT value FROM meta WHERE name = 'key_ring'
