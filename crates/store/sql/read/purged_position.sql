SELECT value FROM meta WHERE name = 'events_purged'
