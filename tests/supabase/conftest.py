"""The schema's tests run on every PostgreSQL of this computer."""

from tests.fakes.cluster import anna, bert, cluster, clusters, database

__all__ = ["anna", "bert", "cluster", "clusters", "database"]
