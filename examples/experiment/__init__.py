"""The paper's experiment on data made here: cohorts trained with and without human salience, audited and compared."""
