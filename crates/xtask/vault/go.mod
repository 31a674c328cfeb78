// Not tidied: that pulls a newer sdk, which does not fit, through other modules' tests.
module vault

go 1.25.3

require (
	github.com/hashicorp/vault v1.21.2
	github.com/hashicorp/vault/sdk v0.20.0
)

// As Vault's own go.mod has them; a replacement does not come along with a requirement.
replace (
	github.com/99designs/keyring => github.com/Jeffail/keyring v1.2.3
	github.com/ma314smith/signedxml v1.1.1 => github.com/moov-io/signedxml v1.1.1
)
