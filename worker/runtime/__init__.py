"""Resources of a worker process: devices, memory, batch sizes, leases, shutdown and metrics."""
