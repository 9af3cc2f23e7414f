"""An Airflow DAG (Airflow 3) that runs gate.sh: copy it into the folder of DAGs, and run it after your training.

Tasks after `gate` run only if the model passes, since a BashOperator fails on any exit status but 0. The Airflow
variable `salience_url` is the URL of the service, which must be able to read the files in the spec. The variable
`salience_api_key` is an API key with the scope `submit`; Airflow masks it because of its name. The Airflow worker needs
`salience` on its PATH.
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
        # Only `env` has templates, because the shell does not run the value of an environment variable as a command.
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
        retries=0,  # a retry gives the same verdict, and the client itself retries while the service is unavailable
        execution_timeout=timedelta(hours=1),
    )
