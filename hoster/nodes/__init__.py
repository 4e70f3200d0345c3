"""The machines that run deployments: enrolment, heartbeats, and signed commands to their workers."""
