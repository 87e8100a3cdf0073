"""A lake in object storage: S3, Google Cloud Storage or Azure, by one library (obstore)."""
