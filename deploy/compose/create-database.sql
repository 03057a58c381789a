-- Run once, while the volume is new: the service's database, and a role for it that is no superuser.
\getenv password HOLDFAST_DB_PASSWORD
create role holdfast login password :'password';
create database holdfast owner holdfast;
