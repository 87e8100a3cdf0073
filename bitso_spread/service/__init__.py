"""What starts the recorder elsewhere: a systemd unit, a Dockerfile, a compose file, an Airflow DAG.

Text out of values: `recording` holds what is to be recorded, `quoting` the rules by which each of
the four reads its file, `limits` what was measured. Reading a command line is the command's job.
"""
