//! The laboratory: hosts, switches and routers in network namespaces.
