"""Market data: the tick schema, readers, the quality gate and the simulator."""
