"""What requests runs unattended: files that land, months that changed, distributions that are due."""

from audience_pipeline.sensors.delivery import due_sensor, follow_sensor
from audience_pipeline.sensors.landing import automation_sensor, landing_sensor

__all__ = ["automation_sensor", "due_sensor", "follow_sensor", "landing_sensor"]
