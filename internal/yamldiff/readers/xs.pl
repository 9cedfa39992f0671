use strict; use JSON::PP; use YAML::XS;
local $/;
print JSON::PP->new->utf8->encode(YAML::XS::Load(scalar <STDIN>));
