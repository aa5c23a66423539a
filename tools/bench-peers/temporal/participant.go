package main

import (
	"context"

	"github.com/jackc/pgx/v5/pgxpool"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
)

// Order is what the load sends and all of a saga's data; as in the Rust peers.
type Order struct {
	ID      string `json:"id"`
	Decline bool   `json:"decline"`
	Data    string `json:"data"`
}

// Reply is a participant's answer.
type Reply struct {
	OK   bool   `json:"ok"`
	Data string `json:"data"`
}

const payment = "process"

// commands of each participant.
var commands = map[string][]string{
	"order":     {"confirm", "cancel"},
	"inventory": {"reserve", "release"},
	"payment":   {payment},
	"shipping":  {"create"},
}

// table and store are those of the Rust participants.
const table = `CREATE TABLE IF NOT EXISTS done (
    order_id text NOT NULL, command text NOT NULL, ok boolean NOT NULL, data text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (order_id, command))`
const store = `INSERT INTO done (order_id, command, ok, data) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`

func serveParticipant(temporal client.Client, participant, url string) error {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return err
	}
	config.MaxConns = 8
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		return err
	}
	if _, err := pool.Exec(context.Background(), table); err != nil {
		return err
	}
	w := worker.New(temporal, participant, worker.Options{
		MaxConcurrentActivityTaskPollers:   pollers,
		MaxConcurrentActivityExecutionSize: 1000,
		DisableWorkflowWorker:              true,
	})
	for _, command := range commands[participant] {
		take := func(ctx context.Context, order Order) (Reply, error) {
			reply := Reply{OK: command != payment || !order.Decline, Data: order.Data}
			_, err := pool.Exec(ctx, store, order.ID, command, reply.OK, order.Data)
			return reply, err
		}
		w.RegisterActivityWithOptions(take, activity.RegisterOptions{Name: command})
	}
	return w.Run(worker.InterruptCh())
}
