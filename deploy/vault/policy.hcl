# What Postrider may do in Vault, and nothing more. The tests run under exactly this.
#
# `secret` and `postrider` are vault.mount and vault.prefix, `transit` and `postrider` vault.transit_mount and
# vault.transit_key: change them here as you do there.
#
#   vault policy write postrider deploy/vault/policy.hcl

# A reseller's credential is a secret of this folder: put with check-and-set, and read.
path "secret/data/postrider/+" {
  capabilities = ["create", "read", "update"]
}

# Which versions there are; and how many Vault keeps (max_versions), so that newer ones never cost the one in use.
path "secret/metadata/postrider/+" {
  capabilities = ["create", "read", "update"]
}

# A credential that was replaced is destroyed after a while (credentials.keep_replaced), not only hidden; and all versions
# are when a reseller's settings are deleted.
path "secret/destroy/postrider/+" {
  capabilities = ["update"]
}

# Only with credentials.key = "transit": the local key is wrapped and unwrapped; the key that does it never leaves Vault.
path "transit/encrypt/postrider" {
  capabilities = ["update"]
}
path "transit/decrypt/postrider" {
  capabilities = ["update"]
}

# Its own token: how long it lives, and to renew it. (Vault's default policy has both; without it they are needed.)
path "auth/token/lookup-self" {
  capabilities = ["read"]
}
path "auth/token/renew-self" {
  capabilities = ["update"]
}
