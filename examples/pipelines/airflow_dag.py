"""An Airflow DAG (Airflow 3) that runs gate.sh: copy it into the DAGs' folder, and put it after your training.

What comes after the task `gate` runs only if the model passes, as any status but 0 fails a BashOperator. Airflow's
variable `salience_url` says where the service is, which must be able to read what the spec names; `salience_api_key`,
which Airflow masks by its name, is a key of the scope `submit`. The worker needs `salience` on its PATH.
"""

from datetime import UTC, datetime, timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

with DAG(
    dag_id="salience_gate",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    schedule=None,
    params={"spec": "/opt/pipelines/spec.json", "policy": "/opt/pipelines/policy.yaml"},
):
    BashOperator(
        task_id="gate",
        # Templates stand in `env` alone, where no value can become a command.
        bash_command='"$PIPELINES/gate.sh" "$SPEC" "$POLICY" "$FOLDER"',
        env={
            "PIPELINES": "/opt/pipelines",
            "SPEC": "{{ params.spec }}",
            "POLICY": "{{ params.policy }}",
            "FOLDER": "/opt/pipelines/gates/{{ run_id }}",
            "SALIENCE_URL": "{{ var.value.salience_url }}",
            "SALIENCE_API_KEY": "{{ var.value.salience_api_key }}",
        },
        append_env=True,
        retries=0,  # a verdict stays as it is, and the client itself waits where the service is away
        execution_timeout=timedelta(hours=1),
    )
