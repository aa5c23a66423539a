package main

import (
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

const sagas = "sagas"

// OrderSaga says whether it was rolled back.
func OrderSaga(ctx workflow.Context, order Order) (bool, error) {
	ask := func(participant, command string) (reply Reply, err error) {
		options := workflow.ActivityOptions{TaskQueue: participant, StartToCloseTimeout: 10 * time.Second}
		err = workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, options), command, order).Get(ctx, &reply)
		return
	}
	if _, err := ask("order", "confirm"); err != nil {
		return false, err
	}
	if _, err := ask("inventory", "reserve"); err != nil {
		return false, err
	}
	paid, err := ask("payment", payment)
	if err != nil {
		return false, err
	}
	if !paid.OK {
		if _, err := ask("inventory", "release"); err != nil {
			return false, err
		}
		_, err := ask("order", "cancel")
		return true, err
	}
	_, err = ask("shipping", "create")
	return false, err
}

// pollers is what one worker needs so that polling does not hold it back.
const pollers = 16

func serveSaga(temporal client.Client) error {
	w := worker.New(temporal, sagas, worker.Options{
		MaxConcurrentWorkflowTaskPollers:       pollers,
		MaxConcurrentWorkflowTaskExecutionSize: 1000,
		DisableRegistrationAliasing:            true,
	})
	w.RegisterWorkflow(OrderSaga)
	return w.Run(worker.InterruptCh())
}
