# Run once in Vault's own image: what docs/vault.md does by hand.
vault write secret/config cas_required=true
vault secrets list -format=json | grep -q '"transit/"' || vault secrets enable transit
vault write -f transit/keys/postrider
vault policy write postrider /setup/policy.hcl
vault token create -policy=postrider -no-default-policy -period=24h -field=token > /run/vault-token/token
# Postrider's user in its own image.
chown 65532:65532 /run/vault-token/token
chmod 0400 /run/vault-token/token
