#include <anyclaude.h>
