// Command vault is HashiCorp Vault, built from its own module: the tests run against it.
package main

import (
	"os"

	"github.com/hashicorp/vault/command"
)

func main() {
	os.Exit(command.Run(os.Args[1:]))
}
