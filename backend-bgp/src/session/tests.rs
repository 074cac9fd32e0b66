mod agreement;
mod errors;
mod lifecycle;
mod pair;
mod routes;
