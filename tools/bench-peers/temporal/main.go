// The order saga on Temporal. One program, one role a process: the namespace's setup, the worker of the workflow, a worker for
// each participant's activities (each stores what it was asked to do in a database of its own), and the door of the load.
package main

import (
	"context"
	"flag"
	"log"
	"log/slog"
	"os"
	"time"

	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
)

var (
	role     = flag.String("role", "", "setup, saga, door, or a participant: order, inventory, payment, shipping")
	server   = flag.String("server", "", "where Temporal's frontend listens")
	listen   = flag.String("listen", "", "where the door listens")
	database = flag.String("database", "", "name of the participant's database; its server is PEER_POSTGRES")
)

func main() {
	flag.Parse()
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	logger := sdklog.NewStructuredLogger(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})))
	options := client.Options{HostPort: *server, Logger: logger}
	if *role == "setup" {
		return setup(options)
	}
	temporal, err := dial(options)
	if err != nil {
		return err
	}
	defer temporal.Close()
	switch *role {
	case "saga":
		return serveSaga(temporal)
	case "door":
		return serveDoor(temporal, *listen)
	default:
		return serveParticipant(temporal, *role, os.Getenv("PEER_POSTGRES")+"/"+*database)
	}
}

// The server comes up while we do.
func dial(options client.Options) (temporal client.Client, err error) {
	for range 60 {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		temporal, err = client.DialContext(ctx, options)
		cancel()
		if err == nil {
			return temporal, nil
		}
		time.Sleep(time.Second)
	}
	return nil, err
}
