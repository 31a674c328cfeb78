// Sends a mail for a reseller, waits until Microsoft took it, and tests the reseller's settings.
//
//	POSTRIDER_URL=http://127.0.0.1:50051 POSTRIDER_KEY=pr_… go run ./example [RESELLER [RECIPIENT]]
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	postrider "github.com/postrider/postrider/clients/go"
	"github.com/postrider/postrider/clients/go/postriderv1"
)

func main() {
	log.SetFlags(0)
	reseller, recipient := argument(1, "acme"), argument(2, "ada@example.net")
	client, err := postrider.FromEnvironment()
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := run(ctx, client, reseller, recipient); err != nil {
		var refused *postrider.Error
		if errors.As(err, &refused) && refused.Reason == "SETTINGS_MISSING" {
			log.Fatalf("%s has no settings yet: `postrider settings put %s …`", reseller, reseller)
		}
		log.Fatal(err)
	}
}

func run(ctx context.Context, client *postrider.Client, reseller, recipient string) error {
	sent, err := client.SendMail(ctx, &postriderv1.SendMailRequest{
		Reseller: reseller,
		Email: &postriderv1.Email{
			To:      []*postriderv1.Address{{Address: recipient, DisplayName: "Ada"}},
			Subject: "Hello from Go",
			Text:    "Sent by the Go client's example.",
		},
		WaitFor: postriderv1.WaitFor_WAIT_FOR_SENT,
	})
	if err != nil {
		return err
	}
	message := sent.GetMessage()
	fmt.Println(message.GetMessageId(), message.GetState())
	if message.GetState() != postriderv1.MessageState_MESSAGE_STATE_SENT {
		return fmt.Errorf("not sent: %s\n%s", message.GetFinding().GetTitle(), message.GetFinding().GetMend())
	}

	test, err := client.TestSettings(ctx, &postriderv1.TestSettingsRequest{Reseller: reseller})
	if err != nil {
		return err
	}
	for _, step := range test.GetSteps() {
		fmt.Println(step.GetName(), step.GetStatus())
		for _, finding := range step.GetFindings() {
			fmt.Printf("  %s: %s\n  %s\n", finding.GetCode(), finding.GetTitle(), finding.GetMend())
		}
	}
	if !test.GetPassed() {
		return errors.New("the settings do not work")
	}
	return nil
}

func argument(index int, otherwise string) string {
	if len(os.Args) > index {
		return os.Args[index]
	}
	return otherwise
}
