package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/types/known/durationpb"
)

// serveDoor lets the one load program in: a request begins a saga and is answered at its end. It belongs to the load, and its
// CPU is not counted.
func serveDoor(temporal client.Client, listen string) error {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /OrderSaga/{id}/run", func(w http.ResponseWriter, r *http.Request) {
		var order Order
		if err := json.NewDecoder(r.Body).Decode(&order); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		rolledBack, err := runSaga(r.Context(), temporal, r.PathValue("id"), order)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_ = json.NewEncoder(w).Encode(rolledBack)
	})
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	door := &http.Server{Addr: listen, Handler: mux, Protocols: protocols,
		HTTP2: &http.HTTP2Config{MaxConcurrentStreams: 2000}}
	return door.ListenAndServe()
}

func runSaga(ctx context.Context, temporal client.Client, id string, order Order) (rolledBack bool, err error) {
	run, err := temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: id, TaskQueue: sagas, WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
	}, OrderSaga, order)
	if err != nil {
		return false, err
	}
	err = run.Get(ctx, &rolledBack)
	return rolledBack, err
}

// setup makes the namespace, and returns once workflows can be started in it.
func setup(options client.Options) (err error) {
	namespaces, err := client.NewNamespaceClient(options)
	if err != nil {
		return err
	}
	defer namespaces.Close()
	for range 60 {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		err = namespaces.Register(ctx, &workflowservice.RegisterNamespaceRequest{
			Namespace: "default", WorkflowExecutionRetentionPeriod: durationpb.New(24 * time.Hour),
		})
		if exists := new(serviceerror.NamespaceAlreadyExists); err == nil || errors.As(err, &exists) {
			err = startable(ctx, options)
		}
		cancel()
		if err == nil {
			return nil
		}
		time.Sleep(time.Second)
	}
	return err
}

// startable asks for a workflow that is not there: the frontend's list of namespaces lags behind, and until it knows ours it
// says so, afterwards it misses the workflow.
func startable(ctx context.Context, options client.Options) error {
	temporal, err := client.DialContext(ctx, options)
	if err != nil {
		return err
	}
	defer temporal.Close()
	_, err = temporal.DescribeWorkflowExecution(ctx, "no-such-saga", "")
	if missing := new(serviceerror.NotFound); errors.As(err, &missing) {
		return nil
	}
	return err
}
